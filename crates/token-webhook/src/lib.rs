//! Tokens that another service judges: kube-apiserver's webhook token authenticator.
