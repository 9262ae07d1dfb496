"""Tables in databases, reached by Ibis: counts, quantiles and samples of them, computed where the data is."""
