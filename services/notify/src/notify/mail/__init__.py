"""Mail: what is sent, by whom, and a ledger that sends nothing twice."""
