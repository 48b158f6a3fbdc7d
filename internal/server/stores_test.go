package server

import (
	"strings"
	"testing"

	"wso2agent/internal/config"
	"wso2agent/internal/product"
)

func TestStoresAreThoseThatTheServersSettingsName(t *testing.T) {
	none := func(string) bool { return false }
	for name, c := range map[string]struct {
		product, text string
		given         func(string) bool
		want          Stores
		reason        string
	}{
		"IS by default":    {config.IS, "", none, Stores{"wso2carbon.p12", "wso2carbon", "", "client-truststore.p12", "wso2carbon"}, ""},
		"API-M by default": {config.AM, "", none, Stores{"wso2carbon.jks", "wso2carbon", "", "client-truststore.jks", "wso2carbon"}, ""},
		"a primary keystore": {config.IS, "[keystore.primary]\nfile_name = \"p.p12\"\npassword = \"x\"\nalias = \"a\"\n", none,
			Stores{"p.p12", "x", "a", "client-truststore.p12", "wso2carbon"}, ""},
		"a keystore for TLS that leaves out some": {config.AM, "[keystore.tls]\nfile_name = \"tls.jks\"\n[keystore.primary]\nalias = \"a\"\npassword = \"x\"\n", none,
			Stores{"tls.jks", "x", "a", "client-truststore.jks", "wso2carbon"}, ""},
		"references to what the product sets": {config.AM, "[keystore.tls]\nfile_name = \"$ref{keystore.primary.file_name}\"\npassword = \"$ref{truststore.password}\"\n[truststore]\npassword = \"t\"\n", none,
			Stores{"wso2carbon.jks", "t", "", "client-truststore.jks", "t"}, ""},
		"a password that only the server knows": {config.AM, "[truststore]\npassword = \"$env{P}\"\n", none,
			Stores{}, "line 2: truststore.password: the value of $env{P} is known to the server alone; set TRUSTSTORE_PASS"},
		"a password that is given": {config.AM, "[truststore]\npassword = \"$env{P}\"\n", func(name string) bool { return name == "TRUSTSTORE_PASS" },
			Stores{"wso2carbon.jks", "wso2carbon", "", "client-truststore.jks", ""}, ""},
	} {
		got, err := ReadStores(product.Default(c.product), []byte(c.text), c.given)
		switch {
		case c.reason != "":
			if err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("%s: error %v, want %q", name, err, c.reason)
			}
		case err != nil || got != c.want:
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, c.want)
		}
	}
}
