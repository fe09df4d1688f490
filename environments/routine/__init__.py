"""Background work: observing clusters, recording usage, alerts, notices and expiry."""
