"""Tables in databases, through Ibis: counts, quantiles and samples are computed where the data is."""
