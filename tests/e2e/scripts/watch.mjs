// Prints what happens to ConfigMaps, and goes on where it was when the connection breaks.

import * as k8s from "@kubernetes/client-node";

const config = new k8s.KubeConfig();
config.loadFromDefault();
const core = config.makeApiClient(k8s.CoreV1Api);
const informer = k8s.makeInformer(config, "/api/v1/namespaces/default/configmaps", () =>
  core.listNamespacedConfigMap({ namespace: "default" }),
);
for (const event of ["add", "update", "delete"]) {
  informer.on(event, (object) => console.log(event, object.metadata.name));
}
informer.on("error", () => setTimeout(start, 50));

function start() {
  informer.start().catch(() => setTimeout(start, 50));
}

await informer.start();
console.log("listed");
