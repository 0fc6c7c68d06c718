#!/bin/bash
# What an operator does with the units of deploy/systemd. Each line that begins with = is compared.
config=/etc/casevault/casevault.toml
units=/etc/systemd/system
shipped=$ROOT/deploy/systemd
said() { echo "= $*"; }
as_vault() { (cd /var/lib/casevault && setpriv --reuid casevault --regid casevault --clear-groups "$@"); }
casevault() { as_vault /opt/casevault/bin/casevault "$@" --config $config; }
ready() {
  for _ in $(seq 200); do
    if "$PYTHON" -c "import urllib.request as r; r.urlopen('http://127.0.0.1:18777/readyz', timeout=3)" 2>/dev/null
    then echo ready; return; fi
    if systemctl is-failed --quiet casevault; then echo failed; return; fi
    sleep 0.3
  done
  echo silent
}
unit() { systemctl start "$1"; said "$1 $(systemctl show "$1" -p Result --value)"; }
unlocked_by() {
  rm -f $units/casevault.service.d/unlock-*
  cp "$shipped/casevault.service.d/$1" $units/casevault.service.d/
  systemctl daemon-reload
}
died() { kill -9 "$(systemctl show casevault -p MainPID --value)"; sleep 7; }

ip link set lo up
install -d -m 0700 -o casevault -g casevault /var/lib/casevault /var/lib/medium /var/lib/backups /etc/casevault
install -d -m 0700 -o casevault -g casevault /run/casevault
cat > $config <<X
data_url = "sqlite:////var/lib/casevault/var/casevault.db"
keyring_url = "sqlite:////var/lib/casevault/keyring/keyring.db"
keys_dir = "/var/lib/casevault/keys"
runtime_dir = "/run/casevault"
second_medium = "/var/lib/medium"
backup_dir = "/var/lib/backups"
organisation_name = "Example Red Cross (made up)"
ledger_origin = "example.org/casevault/systemd"
kdf_profile = "small"
declared_people = 80
country = "ZZ"
port = 18777
X
chown casevault: $config
chmod 600 $config
as_vault "$PYTHON" -W ignore /opt/founded.py $config > /run/pinned
cat /run/pinned $config > /run/whole
cat /run/whole > $config
rm -f $units/casevault.service.d/*
sed 's#^ReadWritePaths=.*#ReadWritePaths=/var/lib/medium /var/lib/backups#' \
  "$shipped/casevault.service.d/media.conf" > $units/casevault.service.d/media.conf
sed -i 's#-/media/casevault -/srv/casevault-backups#/var/lib/medium /var/lib/backups#' $units/casevault-backup.service
systemctl daemon-reload

systemctl start casevault
said "plain keys folder: $(ready)"
casevault keys roll --new-medium
for one in roll retention backup doctor exchange; do unit casevault-$one; done
systemctl stop casevault
echo "six made up words of systemd" > /run/passphrase
casevault keys seal --new-fd 0 < /run/passphrase
said "sealed: $?"
systemctl start casevault
said "sealed, nothing unlocks it: $(ready)"
systemctl stop casevault
systemctl reset-failed casevault

systemd-creds encrypt --name=casevault-unlock /run/passphrase /etc/credstore.encrypted/casevault-unlock
unlocked_by unlock-credential.conf
systemctl start casevault
said "by an encrypted credential: $(ready)"
for one in roll doctor; do unit casevault-$one; done
died
said "killed, started by systemd: $(ready)"
systemctl stop casevault

unlocked_by unlock-by-hand.conf
install -m 0600 /run/passphrase /run/casevault-unlock
systemctl restart casevault
rm /run/casevault-unlock
said "by hand: $(ready)"
unit casevault-roll
died
said "killed, and nobody there: $(ready)"
