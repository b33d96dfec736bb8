"""Prints what happens to ConfigMaps, and goes on where it was when the connection breaks."""

import time

import urllib3
from kubernetes import client, config, watch

config.load_kube_config()
core = client.CoreV1Api()
# Without retries of its own, the client says at once that the server is away.
core.api_client.rest_client.pool_manager.connection_pool_kw["retries"] = 0
version = core.list_namespaced_config_map("default").metadata.resource_version
print("listed")
while True:
    try:
        events = watch.Watch().stream(
            core.list_namespaced_config_map, "default", resource_version=version
        )
        for event in events:
            version = event["object"].metadata.resource_version
            print(event["type"], event["object"].metadata.name)
    except urllib3.exceptions.HTTPError:
        time.sleep(0.05)
