package doctor

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/deployment"
	"wso2agent/internal/file"
	"wso2agent/internal/keysfile"
	"wso2agent/internal/keystore"
	"wso2agent/internal/notify"
	"wso2agent/internal/remedy"
	"wso2agent/internal/server"
	"wso2agent/internal/serviceuser"
	"wso2agent/internal/trust"
)

// Bounds of what a bundle has of one file, in bytes.
const (
	bundledLog  = 1 << 20 // of each log, its end
	bundledFile = 64 << 10
	secretsFile = 4 << 20 // the most that is read of a file to find the secrets in it
)

// Bundle writes an archive for support to a new file with mode 0600: the versions, the facts, the diagnoses, the settings, deployment.toml,
// lists of stores without keys, the public files of the exchange volume, the status of the sidecar, and the ends of logs, all without
// secrets. version is the agent's. A file that exists stays, and the error wraps fs.ErrExist.
func (r *Reader) Bundle(ctx context.Context, path, version string, f Facts, found []Diagnosis) (err error) {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return remedy.Add(fmt.Errorf("write the bundle: %w", err), "choose the name of a new file")
	case err != nil:
		return fmt.Errorf("write the bundle: %w", err)
	}
	packed := gzip.NewWriter(out)
	b := bundle{tar: tar.NewWriter(packed), mask: r.masker(), at: f.At}
	r.fill(ctx, &b, version, f, found)
	if err = errors.Join(b.err, b.tar.Close(), packed.Close(), out.Close()); err != nil {
		return errors.Join(fmt.Errorf("write the bundle: %w", err), os.Remove(path))
	}
	return nil
}

// bundle is an archive that is written. After the first error it takes nothing more.
type bundle struct {
	tar  *tar.Writer
	mask Masker
	at   time.Time
	err  error
}

// add adds a text, whose secrets it masks.
func (b *bundle) add(name, text string) {
	if b.err != nil {
		return
	}
	text = b.mask.Text(text)
	if b.err = b.tar.WriteHeader(&tar.Header{Name: "wso2agent/" + name, Mode: 0o600, Size: int64(len(text)), ModTime: b.at, Format: tar.FormatPAX}); b.err == nil {
		_, b.err = io.WriteString(b.tar, text)
	}
}

// addJSON adds a value. Its texts are masked before JSON escapes characters in them.
func (b *bundle) addJSON(name string, v any) {
	data, err := json.Marshal(v)
	var tree any
	if err == nil {
		err = json.Unmarshal(data, &tree)
	}
	if err == nil {
		data, err = json.MarshalIndent(maskedTree(tree, b.mask), "", "  ")
	}
	if err != nil {
		b.err = errors.Join(b.err, err)
		return
	}
	b.add(name, string(data)+"\n")
}

func maskedTree(v any, m Masker) any {
	switch v := v.(type) {
	case string:
		return m.Text(v)
	case []any:
		for i := range v {
			v[i] = maskedTree(v[i], m)
		}
	case map[string]any:
		for key := range v {
			v[key] = maskedTree(v[key], m)
		}
	}
	return v
}

// fill adds everything. What cannot be read is named in the archive.
func (r *Reader) fill(ctx context.Context, b *bundle, version string, f Facts, found []Diagnosis) {
	b.add("version.txt", version+"\n"+r.versions(ctx))
	b.add("settings.txt", r.Config.Shown())
	b.addJSON("facts.json", f)
	b.addJSON("diagnoses.json", found)
	var left []string
	leave := func(what string, err error) {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			left = append(left, fmt.Sprintf("%s: %v", what, err))
		}
	}
	if r.Config.Server.Product != "" {
		leave("deployment.toml", r.addDeployment(b))
		cfg, err := server.AtStores(ctx, r.Config)
		leave("stores", err)
		for _, store := range storesOf(cfg) {
			leave(store.Path, addStore(ctx, b, store))
		}
		leave("exchange volume", addExchange(ctx, b, r.Config.Trust.ExchangeDir))
		for _, name := range []string{"started.json", "wanted"} {
			data, err := file.Read(filepath.Join(notify.ControlOf(cfg).Dir, name), bundledFile)
			leave(name, err)
			if err == nil {
				b.add("supervisor/"+name, string(data))
			}
		}
	}
	if r.Config.Server.Product != "" {
		status, err := statusOf(ctx, r.Config.Report.ListenAddr)
		leave("status of the sidecar", err)
		if err == nil {
			b.add("status.json", status)
		}
	}
	for n, path := range f.Logs.Files {
		text, err := endOf(path)
		leave(path, err)
		if err == nil {
			b.add(fmt.Sprintf("logs/%02d-%s", n+1, filepath.Base(path)), "end of "+path+"\n"+text)
		}
	}
	if len(left) > 0 {
		b.add("left-out.txt", strings.Join(left, "\n")+"\n")
	}
}

// versions are those of the servers, as far as they are known. API-M tells its own to everybody; IS does not (HTTP 500, IS 7.1.0). Of the own
// server the seed has the name of the home in the image.
func (r *Reader) versions(ctx context.Context) string {
	text := "API-M: " + r.versionOfAM(ctx) + "\n"
	if r.Config.Server.Product == "" {
		return text
	}
	text += "home of the own server: " + r.Config.Server.Home + "\n"
	for _, folder := range []string{"seed", "stock"} {
		if name, err := file.Read(filepath.Join(r.Config.Server.ConfigDir, file.WorkDir, folder, "product"), bundledFile); err == nil {
			text += folder + " of the own server: " + strings.TrimSpace(string(name)) + "\n"
		}
	}
	return text
}

// versionOfAM asks API-M for its version, without credentials.
func (r *Reader) versionOfAM(ctx context.Context) string {
	answer, err := get(ctx, r.HTTP, r.Settings.AMURL+"/services/Version")
	if err != nil {
		return "not known: " + err.Error()
	}
	_, version, _ := strings.Cut(answer, "<return>")
	version, _, found := strings.Cut(version, "</return>")
	if !found {
		return "not known: the answer of /services/Version has another form"
	}
	return version
}

// statusLimit is how long the sidecar may take to answer.
const statusLimit = 2 * time.Second

// statusOf asks the sidecar on this machine for its conditions. They have the last messages of each of its loops.
func statusOf(ctx context.Context, listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return get(ctx, &http.Client{Timeout: statusLimit}, "http://"+net.JoinHostPort(host, port)+"/status")
}

// get returns the begin of an answer with HTTP 200.
func get(ctx context.Context, hc *http.Client, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	resp, err := hc.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, bundledFile))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: HTTP %d", address, resp.StatusCode)
	}
	return string(body), err
}

// masker masks the secrets in the settings and in files, wherever texts have them.
func (r *Reader) masker() Masker { return MaskerOf(r.Config, r.secrets()...) }

// secrets returns the secrets in files that this process can read, to mask them wherever they appear.
func (r *Reader) secrets() (secrets []string) {
	if data, err := file.Read(r.Config.DeploymentTOML(), secretsFile); err == nil && r.Config.Server.Product != "" {
		if doc, err := deployment.Parse(data); err == nil {
			secrets = doc.Secrets()
		}
	}
	files := bootstrap.FilesOf(r.Config)
	if data, err := file.Read(files.Keys.JSON, secretsFile); err == nil {
		keys, _ := keysfile.Decode(data)
		for _, key := range keys {
			secrets = append(secrets, string(key.ConsumerSecret))
		}
	}
	if user, err := serviceuser.Load(serviceuser.Path(files.Keys.JSON)); err == nil {
		secrets = append(secrets, user.Password)
	}
	return secrets
}

// addDeployment adds the settings file of the own server. A text that is no TOML shows no value, because nobody knows which are secret.
func (r *Reader) addDeployment(b *bundle) error {
	data, err := file.Read(r.Config.DeploymentTOML(), secretsFile)
	if err != nil {
		return err
	}
	doc, err := deployment.Parse(data)
	if err != nil {
		return fmt.Errorf("left out, because the server refuses it: %w", err)
	}
	b.add("deployment.toml", doc.Masked(func(string) string { return `"` + mask + `"` }))
	return nil
}

// storesOf returns the truststore and the keystore of the own server.
func storesOf(cfg config.Config) []trust.Store {
	all := []trust.Store{{Path: cfg.TruststorePath(), Password: cfg.Truststore.Pass, Setting: "TRUSTSTORE_PASS"}}
	for _, path := range cfg.KeystorePaths() {
		all = append(all, trust.Store{Path: path, Password: cfg.Keystore.Pass, Setting: "KEYSTORE_PASS"})
	}
	return all
}

// addStore adds the list of a store: aliases, kinds and certificates, no keys.
func addStore(ctx context.Context, b *bundle, store trust.Store) error {
	format, entries, err := store.List(ctx)
	if err != nil {
		return err
	}
	var list strings.Builder
	fmt.Fprintf(&list, "%s: %s, %s\n", store.Path, format, plural(len(entries), "entry", "entries"))
	for _, e := range entries {
		fmt.Fprintf(&list, "%q %s %s\n", e.Alias, e.Kind, certificateLine(e))
	}
	b.add("stores/"+strings.Trim(strings.ReplaceAll(store.Path, "/", "_"), "_")+".txt", list.String())
	return nil
}

func certificateLine(e keystore.Entry) string {
	if len(e.Chain) == 0 {
		return ""
	}
	line := "SHA-256 " + e.Chain[0].Fingerprint().String()
	if c, err := e.Chain[0].Parse(); err == nil {
		line += fmt.Sprintf(" %q from %s to %s", c.Subject.String(), c.NotBefore.UTC().Format(time.DateOnly), c.NotAfter.UTC().Format(time.DateOnly))
	}
	return line
}

// exchanged are the files that agents publish.
var exchanged = []string{"certs.pem", "ca.pem", "successors.pem", "trusts.json", "turn.json", "closing.json", "holder.json"}

// addExchange adds what the agents have published. Whoever has put a private key there finds it masked. Other servers write to the
// volume, so a symbolic link on it is left out: it may lead to any file that this process can read.
func addExchange(ctx context.Context, b *bundle, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	servers, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return err
	}
	var errs []error
	for _, s := range servers {
		if !s.IsDir() {
			continue
		}
		for _, name := range exchanged {
			path := filepath.Join(s.Name(), name)
			data, err := readRegular(ctx, root, path)
			if err == nil {
				b.add("exchange/"+path, string(data))
			} else if !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// readRegular reads a file below root that is no symbolic link.
func readRegular(ctx context.Context, root *os.Root, path string) ([]byte, error) {
	info, err := root.Lstat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file", filepath.Join(root.Name(), path))
	}
	return file.ReadStableIn(ctx, root, path, bundledFile, func([]byte) error { return nil })
}

// endOf returns the end of a log, from a whole line on. The end of a private key that begins before is left out.
func endOf(path string) (string, error) {
	f, err := openTail(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, tailLimit))
	if err != nil {
		return "", err
	}
	if len(data) > bundledLog {
		data = data[len(data)-bundledLog:]
		data = data[bytes.IndexByte(data, '\n')+1:]
	}
	text := strings.ToValidUTF8(string(data), "?")
	if end := strings.Index(text, "-----END "); end >= 0 && !strings.Contains(text[:end], "-----BEGIN ") {
		text = text[end+len("-----END "):]
		text = text[strings.IndexByte(text+"\n", '\n'):]
	}
	return text, nil
}
