"""The lakehouse: what is stored becomes tables of Iceberg, and those become features, models and dashboards."""
