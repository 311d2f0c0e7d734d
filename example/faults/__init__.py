"""What goes wrong around a transfer, on six servers, and what the client then sees: `python -m faults`."""
