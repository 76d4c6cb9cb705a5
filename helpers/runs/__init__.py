"""How is a long run done, and by which recipe? What the studies of several lessons share."""
