"""Cases, plain references and readers that several tests share."""
