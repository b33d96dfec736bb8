//! What `burgee serve` says when it is ready.

use burgee_pki::{Pki, shell_word};

/// Where the server is, how to reach it, and three commands to try.
#[must_use]
pub fn greeting(pki: &Pki) -> String {
    format!(
        "Serving at {}\n\
         Kubeconfig: {}\n\
         \n\
         Try:\n  \
           export KUBECONFIG={}\n  \
           kubectl auth whoami\n  \
           kubectl create serviceaccount robot\n  \
           kubectl create token robot\n",
        pki.server_url(),
        pki.kubeconfig_file().display(),
        shell_word(&pki.kubeconfig_file()),
    )
}

#[cfg(test)]
mod tests {
    use burgee_identity::SystemClock;
    use burgee_pki::Options;

    use super::*;

    #[test]
    fn the_kubeconfig_is_named_as_a_shell_can_read_it() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("my data");
        let options = Options::listening_on(["127.0.0.1:6443".parse().unwrap()]);
        let pki = Pki::open_or_create(&directory, options, &SystemClock::new()).unwrap();
        let text = greeting(&pki);
        let file = directory.join("admin.kubeconfig");
        assert!(
            text.contains(&format!("export KUBECONFIG='{}'\n", file.display())),
            "{text}"
        );
        assert!(text.starts_with("Serving at https://127.0.0.1:6443\n"));
        assert_eq!(text.matches("  kubectl ").count(), 3);
    }
}
