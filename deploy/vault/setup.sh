#!/bin/sh
# Prepares a Vault for Consentry. Run it once, and again after a change of the policies;
# it changes nothing that is already as it should be.
#
# It needs the `vault` command, VAULT_ADDR, and in VAULT_TOKEN a token that may mount secrets
# engines and write policies. What it makes:
#
#   consentry/          KV version 2: wrapped key pages. Every write must be check-and-set, so
#                       that no client can overwrite a page it has not read.
#   transit/            the keys that wrap and sign, which never leave Vault
#   consentry-service   policy and AppRole of `consentry serve`         (service.hcl)
#   consentry-admin     policy and AppRole of `consentry keys …`        (admin.hcl)
#
# Then, with a token of the policy consentry-admin, `consentry keys init` makes the keys. On
# Kubernetes bind the same policies to roles of the Kubernetes auth method instead of AppRoles.
#
# Keep in mind:
# - Turn on an audit device (`vault audit enable …`): each read of a page is then on record.
# - Backups of Vault bring back erased keys until they expire. Keep them apart from those
#   of the database, and no longer than you may take to erase. After restoring
#   one, repeat the erasures since it was made.
# - Vault's storage without its unseal keys is of no use to a thief. Keep those apart, too.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

# has LISTING NAME: whether `vault LISTING list` shows the path NAME/.
has() {
	vault "$1" list -format=json | grep -q "\"$2/\":"
}

has secrets consentry || vault secrets enable -path=consentry -version=2 \
	-description='Consentry: wrapped key pages' kv
has secrets transit || vault secrets enable \
	-description='Consentry: the key-encryption and signing keys' transit
has auth approle || vault auth enable approle

# A fresh KV mount refuses requests for a moment, while it prepares itself.
tries=0
until vault write consentry/config cas_required=true >/dev/null 2>&1; do
	tries=$((tries + 1))
	if [ "$tries" -ge 20 ]; then
		vault write consentry/config cas_required=true
		break
	fi
	sleep 0.5
done

vault policy write consentry-service "$here/service.hcl"
vault policy write consentry-admin "$here/admin.hcl"

vault write auth/approle/role/consentry-service \
	token_policies=consentry-service token_no_default_policy=true \
	token_ttl=20m token_max_ttl=24h
vault write auth/approle/role/consentry-admin \
	token_policies=consentry-admin token_no_default_policy=true \
	token_ttl=15m token_max_ttl=1h secret_id_ttl=15m secret_id_num_uses=4

cat <<'END'

Ready. The credentials of the service:

    vault read -field=role_id auth/approle/role/consentry-service/role-id
    vault write -f -field=secret_id auth/approle/role/consentry-service/secret-id
END
