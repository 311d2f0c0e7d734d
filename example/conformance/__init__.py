"""The same HTTP requests to this library and to others, judged by RFC 9110: `python -m conformance`."""
