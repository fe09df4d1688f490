"""What the portal does by itself: observing, counting, alerting, ending."""
