"""Several models' predictions in, one prediction out; whatever is chosen is chosen on dev."""
