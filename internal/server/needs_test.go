package server

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/notify"
	"wso2agent/internal/product"
)

func TestWhatCanBeSeenOfADatabase(t *testing.T) {
	dir := t.TempDir()
	cfg := config.Config{Release: product.Default(product.AM), Server: config.Server{Product: config.AM, ConfigDir: filepath.Join(dir, "volume"), Home: filepath.Join(dir, "home")}}
	write := func(path, content string) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	control := notify.ControlOf(cfg)
	database := filepath.Join(cfg.Server.Home, EmbeddedDatabase)
	const stock = "as the product ships it"
	write(database, stock)
	text := shipped(t, config.AM)
	check := func(what string, want DatabaseState) {
		t.Helper()
		if got, err := ReadDatabase(cfg, text); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", what, got, err, want)
		}
	}
	check("nobody knows what the product ships", UsedDatabase)
	write(filepath.Join(control.Dir, StockDatabases), fmt.Sprintf("0 0 WSO2CARBON_DB.mv.db\n%x %d %s\n", sha256.Sum256([]byte(stock)), len(stock), filepath.Base(EmbeddedDatabase)))
	check("it is as shipped", NewDatabase)
	write(database, stock[1:]+"!")
	check("of the same size, it is another", UsedDatabase)
	if err := os.Remove(database); err != nil {
		t.Fatal(err)
	}
	check("its volume is not seen", UnknownDatabase)
	write(filepath.Join(control.Dir, "started.json"), `{"generation": "g", "pid": 1, "since": "`+time.Now().UTC().Format(time.RFC3339)+`", "starts": 1}`)
	check("its volume is not seen, and the server has started", UsedDatabase)
	cfg.Database.Kind, cfg.Database.RecordDir = "postgres", t.TempDir()
	record := filepath.Join(cfg.Database.RecordDir, "am")
	check("the server has started, and the job recorded nothing", UsedDatabase)
	write(record, "new\n")
	if err := os.Chtimes(record, time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	check("the job found no administrator", NewDatabase)
	write(record, "used\n")
	check("the job found one", UsedDatabase)
}
