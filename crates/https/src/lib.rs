//! HTTPS clients of Burgee: trust, client certificates, proxies, time limits, and answers with a bound.
