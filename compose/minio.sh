#!/bin/sh
# Makes the bucket "backups", and Holdfast's user with the rights of minio-policy.json.
# A repeated run sets the user's secret key and rights again, and leaves the objects alone.
set -eu
cd "$(dirname "$0")"
# An environment and a pipe carry the secrets: other users can see the arguments of a program.
MC_HOST_minio="http://$MINIO_ROOT_USER:$(cat "$SECRETS/minio-root-password")@$MINIO"
export MC_HOST_minio

mc mb --ignore-existing minio/backups
user=$(cat "$SECRETS/s3-access-key")
printf '%s\n%s\n' "$user" "$(cat "$SECRETS/s3-secret-key")" | mc admin user add minio
mc admin policy create minio backups minio-policy.json
# mc calls a policy that the user has already an error.
case $(mc admin user info minio "$user") in
*"PolicyName: backups"*) ;;
*) mc admin policy attach minio backups --user "$user" ;;
esac
