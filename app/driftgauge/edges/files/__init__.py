"""Files and object storage: the logs of other servers, read to the end or followed, each record once."""
