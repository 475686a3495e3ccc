#!/bin/sh
# Makes Tidegate's least-privilege roles and the databases of registry, MLflow, Dagster, Superset and Polaris, once, when PostgreSQL's volume is new.
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
  --set owner_password="$TIDEGATE_OWNER_PASSWORD" --set writer_password="$TIDEGATE_WRITER_PASSWORD" \
  --set reader_password="$TIDEGATE_READER_PASSWORD" --set monitor_password="$TIDEGATE_MONITOR_PASSWORD" \
  --set registry_password="$TIDEGATE_REGISTRY_PASSWORD" \
  --set mlflow_password="$TIDEGATE_MLFLOW_PASSWORD" --set lake_password="$TIDEGATE_LAKE_PASSWORD" \
  --set dagster_password="$TIDEGATE_DAGSTER_PASSWORD" --set superset_password="$TIDEGATE_SUPERSET_PASSWORD" \
  --set polaris_password="$TIDEGATE_POLARIS_PASSWORD" <<'SQL'
CREATE ROLE tidegate_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE tidegate_writer LOGIN PASSWORD :'writer_password';
CREATE ROLE tidegate_reader LOGIN PASSWORD :'reader_password';
CREATE ROLE tidegate_monitor LOGIN PASSWORD :'monitor_password';
CREATE ROLE tidegate_registry LOGIN PASSWORD :'registry_password';
CREATE ROLE tidegate_mlflow LOGIN PASSWORD :'mlflow_password';
CREATE ROLE tidegate_lake LOGIN PASSWORD :'lake_password';
CREATE ROLE tidegate_dagster LOGIN PASSWORD :'dagster_password';
CREATE ROLE tidegate_superset LOGIN PASSWORD :'superset_password';
CREATE ROLE tidegate_polaris LOGIN PASSWORD :'polaris_password';
CREATE DATABASE tidegate OWNER tidegate_owner;
CREATE DATABASE tidegate_registry OWNER tidegate_registry;
CREATE DATABASE tidegate_mlflow OWNER tidegate_mlflow;
CREATE DATABASE tidegate_dagster OWNER tidegate_dagster;
CREATE DATABASE tidegate_superset OWNER tidegate_superset;
CREATE DATABASE tidegate_polaris OWNER tidegate_polaris;
REVOKE CONNECT, TEMPORARY ON DATABASE tidegate FROM PUBLIC;
REVOKE CONNECT, TEMPORARY ON DATABASE tidegate_registry FROM PUBLIC;
REVOKE CONNECT, TEMPORARY ON DATABASE tidegate_mlflow FROM PUBLIC;
REVOKE CONNECT, TEMPORARY ON DATABASE tidegate_dagster FROM PUBLIC;
REVOKE CONNECT, TEMPORARY ON DATABASE tidegate_superset FROM PUBLIC;
REVOKE CONNECT, TEMPORARY ON DATABASE tidegate_polaris FROM PUBLIC;
GRANT CONNECT ON DATABASE tidegate TO tidegate_writer, tidegate_reader, tidegate_monitor, tidegate_lake;
SQL
