"""Where data came from: events of OpenLineage about each run, and the way back from a column or a row."""
