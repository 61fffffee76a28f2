#!/bin/sh
# Makes GoToSocial's database with its owner, and a role for Holdfast, who may only read.
# A repeated run sets the passwords and rights again, and leaves the rows alone.
set -eu
# The environment carries the password: other users can see the arguments of a program.
PGPASSWORD=$(cat "$SECRETS/postgres-password")
export PGPASSWORD

exec psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname=postgres <<'SQL'
\set owner_password `cat "$SECRETS/db-password"`
\set reader_password `cat "$SECRETS/db-reader-password"`

SELECT format('CREATE ROLE %I', name) FROM unnest(ARRAY['gotosocial', 'holdfast']) AS name
    WHERE name NOT IN (SELECT rolname FROM pg_roles) \gexec
ALTER ROLE gotosocial NOSUPERUSER NOCREATEDB NOCREATEROLE LOGIN PASSWORD :'owner_password';
ALTER ROLE holdfast NOSUPERUSER NOCREATEDB NOCREATEROLE LOGIN PASSWORD :'reader_password';

SELECT 'CREATE DATABASE gotosocial OWNER gotosocial TEMPLATE template0 LOCALE ''C.UTF-8'''
    WHERE 'gotosocial' NOT IN (SELECT datname FROM pg_database) \gexec
REVOKE ALL ON DATABASE gotosocial FROM PUBLIC;
GRANT CONNECT ON DATABASE gotosocial TO holdfast;
GRANT pg_read_all_data TO holdfast;
SQL
