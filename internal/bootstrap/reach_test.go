package bootstrap

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"wso2agent/internal/config"
	"wso2agent/internal/desired"
	"wso2agent/internal/file"
	"wso2agent/internal/keysfile"
)

// TestAFailedVerificationMakesTheAgentReadEverythingOnce, because no list shows that an API has lost its deployment.
func TestAFailedVerificationMakesTheAgentReadEverythingOnce(t *testing.T) {
	broken := errors.New("the gateway does not have the API")
	for _, tt := range []struct {
		name     string
		runs     []Result
		verified []error
		want     error
	}{
		{"all is well", []Result{{}}, []error{nil}, nil},
		{"an API is deployed again", []Result{{}, {Whole: true, Changes: 1}}, []error{broken, nil}, nil},
		{"nothing is to be changed", []Result{{}, {Whole: true}}, []error{broken}, broken},
		{"it does not help", []Result{{}, {Whole: true, Changes: 1}}, []error{broken, broken}, broken},
		{"everything was read", []Result{{Whole: true, Changes: 1}}, []error{broken}, broken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			cfg := config.Config{Bootstrap: config.Bootstrap{KeysFile: filepath.Join(dir, "keys.json")}, Trust: config.Trust{ExchangeDir: dir}}
			runs, verified := slices.Clone(tt.runs), slices.Clone(tt.verified)
			k := &Keeper{Log: slog.New(slog.DiscardHandler), Accounts: &Accounts{}, Tell: func(string) {},
				Apply: func(_ context.Context, _ *slog.Logger, _ *http.Client, _ Settings, files Files, _ *desired.File) (r Result, err error) {
					_, err = os.Stat(files.UnchangedPath())
					if isThere := err == nil; isThere == runs[0].Whole {
						t.Errorf("the file with what is known is there: %t", isThere)
					}
					r, runs = runs[0], runs[1:]
					return r, nil
				},
				Verify: func(context.Context, config.Config, Servers, Result) (err error) {
					err, verified = verified[0], verified[1:]
					return err
				},
			}
			if !tt.runs[0].Whole {
				if _, err := file.Write(FilesOf(cfg).UnchangedPath(), []byte("{}"), 0o600, keysfile.WorkDir(cfg.Bootstrap.KeysFile)); err != nil {
					t.Fatal(err)
				}
			}
			if err := k.bring(t.Context(), cfg, &desired.File{}); !errors.Is(err, tt.want) || len(runs)+len(verified) > 0 {
				t.Errorf("error = %v, %d runs and %d verifications are left", err, len(runs), len(verified))
			}
		})
	}
}
