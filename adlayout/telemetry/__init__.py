"""What the service tells those who run it: events and requests as lines on standard error."""
