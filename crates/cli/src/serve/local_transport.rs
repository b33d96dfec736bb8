//! The controllers' way to the server in the same process.

use std::sync::Arc;

use async_trait::async_trait;
use burgee_controllers::{Error, ResponseBody, Transport};
use burgee_identity::{UserInfo, names};
use burgee_server::LocalClient;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;

/// Sends controllers' requests through the server's own stack, without a socket.
///
/// They pass authorization, admission and validation as anybody's requests do, as the user that
/// Kubernetes' controllers are.
#[derive(Debug)]
pub(super) struct LocalTransport {
    client: LocalClient,
    user: Arc<UserInfo>,
}

impl LocalTransport {
    pub(super) fn new(client: LocalClient) -> Self {
        let user = UserInfo::named("system:kube-controller-manager");
        let groups = [names::MASTERS, names::AUTHENTICATED];
        Self {
            client,
            user: Arc::new(user.with_groups(groups)),
        }
    }
}

#[async_trait]
impl Transport for LocalTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<ResponseBody>, Error> {
        let response = self.client.send(request, Arc::clone(&self.user)).await;
        Ok(response.map(|body| body.map_err(|never| match never {}).boxed_unsync()))
    }
}
