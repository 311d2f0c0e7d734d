"""Black-box tests: the example on real servers, driven over sockets."""
