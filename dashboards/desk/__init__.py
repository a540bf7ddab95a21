"""The desk's side of the operations API: tickets, reports and requests, supervision, shifts, scores, monthly report."""
