package deployment

import (
	"fmt"
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
