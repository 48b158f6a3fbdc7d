package notify

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/config"
	"wso2agent/internal/testenv"
)

// noWayBack goes back to nothing.
type noWayBack struct{}

func (noWayBack) Starting(context.Context) string      { return "" }
func (noWayBack) Served(context.Context, string) error { return nil }
func (noWayBack) Failed(context.Context, string) bool  { return false }

// noHome places nothing.
type noHome struct{}

func (noHome) Starting(context.Context) (trusts []string, certificate string) { return nil, "" }
func (noHome) Reloads(context.Context) bool                                   { return false }
func (noHome) Place(context.Context, string) (bool, error) {
	return false, errors.New("there is no home")
}
func (noHome) Repair(context.Context) {}

func TestOnlyWithAProductThePortIsKnown(t *testing.T) {
	for product, port := range map[string]string{config.IS: "localhost:9444", config.AM: "localhost:9445", "": ""} {
		var log testenv.Buffer
		cfg := config.Config{Server: config.Server{Product: product, ConfigDir: "/volume"}, IS: config.IdentityServer{Port: 9444}, AM: config.APIManager{Port: 9445}}
		s := SupervisorOf(cfg, []string{"start"}, func(context.Context) error { return nil }, noWayBack{}, noHome{}, slog.New(slog.NewTextHandler(&log, nil)))
		if known := port != ""; s.Port != port || (s.Serves != nil) != known || (s.WayBack != nil) != known || (s.Home != nil) != known || strings.Contains(log.String(), "PRODUCT is not set") == known {
			t.Errorf("PRODUCT=%q: %+v, log %q", product, s, log.String())
		}
		if s.Control.Dir != "/volume/.agent" || !slices.Equal(s.Command, []string{"start"}) {
			t.Errorf("PRODUCT=%q: %+v", product, s)
		}
	}
}

func TestEachValueOfRESTARTNamesOneWhoRestarts(t *testing.T) {
	all := []string{"signal", "docker", "kubernetes", "carbon", "command", "webhook", "file"}
	for _, method := range append([]string{"auto", "exec", "none"}, all...) {
		cfg := config.Config{Server: config.Server{Product: config.AM, Name: "wso2am"}, Restart: config.Restart{Method: method}, AM: config.APIManager{Host: "am", Port: 9445}}
		log := slog.New(slog.DiscardHandler)
		elsewhere := SupervisorOf(cfg, []string{"start"}, nil, noWayBack{}, noHome{}, log).Elsewhere
		k := KeeperOf(cfg, Access{}, log)
		switch {
		case slices.Contains(all, method):
			if !elsewhere || k == nil || !k.Only || len(k.Methods) != 1 || k.Methods[0].Name() != method || k.Port != "am:9445" {
				t.Errorf("%s: agent exec leaves it to somebody else: %v; %+v", method, elsewhere, k)
			}
		case method == "auto":
			if elsewhere || k == nil || k.Only || len(k.Methods) != 2 {
				t.Fatalf("%s: %v, %+v", method, elsewhere, k)
			}
			if first, second := k.Methods[0].Name(), k.Methods[1].Name(); first != "docker" || second != "kubernetes" {
				t.Errorf("auto takes %s or %s; with signal nobody may start the server again", first, second)
			}
		default:
			if elsewhere || k != nil {
				t.Errorf("%s: %v, %+v", method, elsewhere, k)
			}
		}
	}
}

func TestTheServerGetsTheVariablesThatItsEnvironmentLacks(t *testing.T) {
	t.Setenv("SERVERS_OWN", "set")
	t.Setenv("AGENTS_SECRET", "") // restores the environment
	os.Unsetenv("AGENTS_SECRET")
	var log testenv.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	err := CompleteEnvironment(func(isSet func(string) bool) (map[string]string, []string, error) {
		if !isSet("SERVERS_OWN") || isSet("AGENTS_SECRET") {
			t.Error("the environment is misread")
		}
		return map[string]string{"AGENTS_SECRET": "hidden"}, []string{"UNKNOWN"}, nil
	}, logger)
	if err != nil || os.Getenv("AGENTS_SECRET") != "hidden" || !strings.Contains(log.String(), "variables=[UNKNOWN]") || strings.Contains(log.String(), "hidden") {
		t.Errorf("%v, log %q", err, log.String())
	}
	err = CompleteEnvironment(func(func(string) bool) (map[string]string, []string, error) { return nil, nil, errors.New("line 3") }, logger)
	if err != nil || !strings.Contains(log.String(), "the server will not start with its deployment.toml") {
		t.Errorf("settings that the server refuses: %v, log %q", err, log.String())
	}
}
