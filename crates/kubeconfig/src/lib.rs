//! Reads kubeconfig files, and makes of a context a client of its server.
