#!/bin/bash
# A database for each service, and a role that owns it and may enter no other. Runs once, when the volume is new.
set -euo pipefail
for service in auth posts social notify translate; do
  password="${service^^}_DATABASE_PASSWORD"
  psql -v ON_ERROR_STOP=1 -v name="$service" -v password="${!password}" -d postgres <<'SQL'
CREATE ROLE :"name" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE CONNECT ON DATABASE :"name" FROM PUBLIC;
SQL
done
