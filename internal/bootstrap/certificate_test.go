package bootstrap

import (
	"testing"

	"wso2agent/internal/config"
	"wso2agent/internal/product"
	"wso2agent/internal/trust"
)

// TestOnlyAKnownISMapsCertificates: without a statement of its agent, nobody knows the version of IS.
func TestOnlyAKnownISMapsCertificates(t *testing.T) {
	for name, tt := range map[string]struct {
		release *product.Release // next to IS
		states  *trust.Closing   // what the agent next to IS states
		want    bool
	}{
		"next to IS 7.2":                              {release: &product.Release{Known: true}},
		"next to IS 7.3":                              {release: &product.Release{Known: true, Facts: product.Facts{CertificateUser: true}}, want: true},
		"next to an IS of a later version":            {release: &product.Release{Facts: product.Facts{CertificateUser: true}}},
		"nobody states it":                            {},
		"IS's agent of an earlier version, or IS 7.2": {states: &trust.Closing{SCIM11: true}},
		"IS's agent states it":                        {states: &trust.Closing{CertificateUser: true}, want: true},
	} {
		var c config.Config
		c.Server.Product, c.Server.Name, c.Trust.Peers, c.Trust.ExchangeDir = config.AM, "wso2am", []string{"wso2is"}, t.TempDir()
		if tt.release != nil {
			c.Server.Product, c.Release = config.IS, *tt.release
		}
		if tt.states != nil {
			if _, err := (trust.Exchange{Dir: c.Trust.ExchangeDir, Name: "wso2is"}).SayClosing(*tt.states); err != nil {
				t.Fatal(err)
			}
		}
		risk, remedy := SettingsOf(c, &Accounts{}).CertificateRisk(t.Context())
		if (risk == "") != tt.want || (remedy == "") != tt.want {
			t.Errorf("%s: risk %q, remedy %q; want that IS maps certificates: %t", name, risk, remedy, tt.want)
		}
	}
	if risk, _ := (Settings{}).CertificateRisk(t.Context()); risk == "" {
		t.Error("settings of nobody know that IS maps certificates")
	}
}
