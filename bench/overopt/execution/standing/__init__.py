"""How the nodes of a run stand in a store, without building or checking anything."""
