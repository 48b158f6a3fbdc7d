package verify

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/wso2"
)

// TestAPortThatMayBeClosedIsClosedHoweverTheNetworkSaysSo: 8099 is not in the Service of the manifests, where a connection may be
// refused or get no answer at all.
func TestAPortThatMayBeClosedIsClosedHoweverTheNetworkSaysSo(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := free.Addr().String()
	free.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // it is open, and shows no certificate
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	for name, c := range map[string]struct {
		ctx     context.Context
		address string
		want    bool
	}{
		"refused":                           {t.Context(), refused, true},
		"no answer before the time is over": {over, refused, true},
		"open, without a handshake":         {short, silent.Addr().String(), false},
	} {
		if _, err := wso2.Served(c.ctx, c.address); err == nil || closed(err) != c.want {
			t.Errorf("%s: closed %t, %v", name, closed(err), err)
		}
	}
}

func TestThePortsOfTheOwnServerAreLookedAt(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	free.Close()
	cfg := config.Config{Server: config.Server{Product: config.IS}, IS: config.IdentityServer{Host: "127.0.0.1", Port: port}}
	if got := Listeners(t.Context(), cfg, slog.New(slog.DiscardHandler)); !slices.Equal(got, []Listener{{Address: free.Addr().String()}}) {
		t.Errorf("of a server that does not answer: %+v", got)
	}
}

func TestTheGatewayOfTheOwnServerIsLookedAtByWhicheverName(t *testing.T) {
	for _, c := range []struct {
		am, gateway string
		want        bool
	}{
		{"am.example.com", "am.example.com", true},
		{"am.example.com", "AM.example.com", true},
		{"am.example.com", "wso2am", true},
		{"am.example.com", "localhost", true},
		{"am.example.com", "127.0.0.1", true},
		{"am.example.com", "::1", true},
		{"127.0.0.1", "192.0.2.7", false},
		{"am.example.com", "gateway.example.com", false},
	} {
		cfg := config.Config{Server: config.Server{Product: config.AM, Name: "wso2am"}, AM: config.APIManager{Host: c.am, Port: 9443}, Gateway: config.Gateway{Host: c.gateway, Port: 8243}}
		want := []port{{address: c.am + ":9443"}}
		if c.want {
			want = append(want, port{address: net.JoinHostPort(c.gateway, "8243")}, port{address: net.JoinHostPort(c.gateway, "8099"), optional: true})
		}
		if got := ports(cfg); !slices.Equal(got, want) {
			t.Errorf("AM_HOST=%s, GW_HOST=%s: %+v, want %+v", c.am, c.gateway, got, want)
		}
	}
}
