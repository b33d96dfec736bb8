//! Writes every document to a folder, for code generators that read files:
//!
//! ```text
//! cargo run --example write_documents -- FOLDER
//! ```

use std::fs;
use std::path::Path;

use burgee_openapi::{About, AggregatedVersion, Document, Documents};

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "api".to_owned());
    let folder = Path::new(&folder);
    fs::create_dir_all(folder)?;
    let about = About {
        version: "v1.37.0".to_owned(),
        server_address: "127.0.0.1:6443".to_owned(),
    };
    let documents = Documents::new(burgee_resources::all(), about);
    let write = |name: &str, document: &Document| {
        let name = format!("{}.json", name.replace('/', "__"));
        fs::write(folder.join(name), document.body())
    };

    write("api", documents.api_versions())?;
    write("apis", documents.api_group_list())?;
    let v2 = AggregatedVersion::V2;
    write("aggregated/api", documents.aggregated_api(v2))?;
    write("aggregated/apis", documents.aggregated_apis(v2))?;
    write("openapi/v2", documents.openapi_v2())?;
    let protobuf = documents.openapi_v2_protobuf();
    fs::write(folder.join("openapi__v2.pb"), protobuf.body())?;
    write("openapi/v3", documents.openapi_v3_index())?;
    for resource in burgee_resources::all() {
        let root = if resource.group.is_empty() {
            "api"
        } else {
            "apis"
        };
        let path = format!("{root}/{}", resource.api_version());
        if let Some(list) = documents.api_resource_list(resource.group, resource.version) {
            write(&path, list)?;
        }
        if let Some(document) = documents.openapi_v3(&path) {
            write(&format!("openapi/v3/{path}"), document)?;
        }
    }
    Ok(())
}
