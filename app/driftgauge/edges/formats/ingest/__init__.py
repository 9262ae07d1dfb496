"""Inference logs of other servers, decoded for one model: bytes to rows, halves of events, and labels."""
