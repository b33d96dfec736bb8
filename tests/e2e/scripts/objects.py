"""What programs do with objects, through the official Python client."""

import base64

from kubernetes import client, config, dynamic
from kubernetes.client.exceptions import ApiException


def refused(call, *arguments, **options):
    """The Status with which a call is refused."""
    try:
        call(*arguments, **options)
    except ApiException as error:
        return error
    raise AssertionError(f"{call.__name__} was to be refused")


config.load_kube_config()
core = client.CoreV1Api()


def metadata(name, **more):
    return client.V1ObjectMeta(name=name, **more)


# Create, read, change, delete.
core.create_namespace(client.V1Namespace(metadata=metadata("work")))
created = core.create_namespaced_config_map(
    "work", client.V1ConfigMap(metadata=metadata("paint"), data={"color": "red"})
)
assert created.metadata.uid and created.metadata.resource_version
again = client.V1ConfigMap(metadata=metadata("paint"))
assert refused(core.create_namespaced_config_map, "work", again).status == 409
read = core.read_namespaced_config_map("paint", "work")
assert read.data == {"color": "red"}
patched = core.patch_namespaced_config_map("paint", "work", {"data": {"gloss": "high"}})
assert patched.data == {"color": "red", "gloss": "high"}
stale = refused(core.replace_namespaced_config_map, "paint", "work", read)
assert (stale.status, stale.reason) == (409, "Conflict"), stale
patched.data = {"color": "blue"}
assert core.replace_namespaced_config_map("paint", "work", patched).data == {"color": "blue"}
assert core.delete_namespaced_config_map("paint", "work")["status"] == "Success"
assert refused(core.read_namespaced_config_map, "paint", "work").status == 404

# Secrets carry bytes.
secret = client.V1Secret(metadata=metadata("db"), string_data={"password": "s3cr3t"})
core.create_namespaced_secret("work", secret)
data = core.read_namespaced_secret("db", "work").data
assert base64.b64decode(data["password"]) == b"s3cr3t"

# Lists in pages.
for number in range(5):
    core.create_namespaced_config_map(
        "work", client.V1ConfigMap(metadata=metadata(f"page-{number}", labels={"app": "book"}))
    )
names, token, pages = [], None, 0
while True:
    page = core.list_namespaced_config_map(
        "work", label_selector="app=book", limit=2, _continue=token
    )
    names += [item.metadata.name for item in page.items]
    pages += 1
    token = page.metadata._continue
    if not token:
        break
assert names == [f"page-{number}" for number in range(5)], names
assert pages == 3, pages
core.delete_collection_namespaced_config_map("work", label_selector="app=book")
assert not core.list_namespaced_config_map("work", label_selector="app=book").items

# Tokens, and what reviewers say of them.
core.create_namespaced_service_account("work", client.V1ServiceAccount(metadata=metadata("robot")))
request = client.AuthenticationV1TokenRequest(
    spec=client.V1TokenRequestSpec(audiences=["vault"], expiration_seconds=600)
)
issued = core.create_namespaced_service_account_token("robot", "work", request)
review = client.AuthenticationV1Api().create_token_review(
    client.V1TokenReview(
        spec=client.V1TokenReviewSpec(token=issued.status.token, audiences=["vault", "other"])
    )
)
assert review.status.authenticated
assert review.status.audiences == ["vault"]
assert review.status.user.username == "system:serviceaccount:work:robot"
access = client.AuthorizationV1Api().create_subject_access_review(
    client.V1SubjectAccessReview(
        spec=client.V1SubjectAccessReviewSpec(
            user="system:serviceaccount:work:robot",
            resource_attributes=client.V1ResourceAttributes(verb="list", resource="secrets"),
        )
    )
)
assert access.status.allowed is False

# The dynamic client learns the types from the server, and applies.
maps = dynamic.DynamicClient(client.ApiClient()).resources.get(api_version="v1", kind="ConfigMap")
manifest = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "applied", "namespace": "work"},
    "data": {"color": "green"},
}
applied = maps.server_side_apply(body=manifest, namespace="work", field_manager="python")
assert applied.data.color == "green"
assert applied.metadata.managedFields[0].manager == "python"

print("done")
