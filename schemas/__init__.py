"""The ground floor: what a table is, the records that pass between rooms, and the errors they raise."""
