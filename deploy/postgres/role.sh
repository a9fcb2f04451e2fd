#!/bin/sh
# Run by the Postgres image when it creates its data: a role that owns its database, and is no superuser.
set -eu
psql --username "$POSTGRES_USER" --set ON_ERROR_STOP=1 --set password="$PARLEY_PASSWORD" <<'SQL'
CREATE ROLE parley LOGIN PASSWORD :'password';
CREATE DATABASE parley OWNER parley ENCODING 'UTF8' TEMPLATE template0;
REVOKE CONNECT ON DATABASE parley FROM PUBLIC;
SQL
