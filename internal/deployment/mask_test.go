package deployment

import (
	"fmt"
	"slices"
	"testing"
)

func TestSecretsAreMaskedWhereverTheyStand(t *testing.T) {
	d := mustParse(t, `password = "p1" # why
key_password='p2'
auth_token = ""
user = {name = "u", password = "p3"}
listen = [{password = "p4"}]
long_secret = """
p5
"""
pass = "$env{P}"
enable_token_hashing = false
[x.password]
y = "shown"
# password = "p6"
#key_password =  p7
`)
	n := 0
	got := d.Masked(func(value string) string { n++; return fmt.Sprintf("M%d", len(value)) })
	want := `password = M4 # why
key_password=M4
auth_token = ""
user = {name = "u", password = M4}
listen = M19
long_secret = M10
pass = "$env{P}"
enable_token_hashing = false
[x.password]
y = "shown"
# password = *****
#key_password =  *****
`
	if got != want || n != 5 {
		t.Errorf("%d masked, got\n%s\nwant\n%s", n, got, want)
	}
}

// Passwords in URLs are secrets whatever the name of the setting is, and so is everything in [secrets].
func TestSecretsWithoutATellingNameAreMasked(t *testing.T) {
	d := mustParse(t, `db_pwd = "p1"
hash_salt = "p2"
url = "jdbc:mysql://user:p3@host/db"
other_url = "jdbc:mysql://host/db?user=u&password=p4"
plain_url = "https://localhost:9443/x"
# old_url = "jdbc:mysql://user:p5@host/db"
# plain = "https://localhost:9443/x"
[secrets]
db = "p7"
number = 1234
long = """
# no_comment = "p6"
"""
# old = "p8"
[x]
# shown = "y"
secrets.y = "shown"
`)
	want := `db_pwd = M
hash_salt = M
url = M
other_url = M
plain_url = "https://localhost:9443/x"
# old_url = *****
# plain = "https://localhost:9443/x"
[secrets]
db = M
number = M
long = M
# old = *****
[x]
# shown = "y"
secrets.y = "shown"
`
	if got := d.Masked(func(string) string { return "M" }); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestSecretsAreWhatTheServersRead(t *testing.T) {
	got := mustParse(t, `name = "shown"
password = "a\"b"
pass = 'c\d'
listen = [{name = "shown", password = "p1"}]
keys_secret = ["p2", "p3"]
url = "jdbc:mysql://user:p4@host/db"
other_url = "jdbc:mysql://host/db?user=u&password=p5&a=b"
user = {name = "shown", password = "p6"}
reference_pass = "$env{P}"
[secrets]
db = "p7"
`).Secrets()
	slices.Sort(got)
	if want := []string{`a"b`, `c\d`, "p1", "p2", "p3", "p4", "p5", "p6", "p7"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
