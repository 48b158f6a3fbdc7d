package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"

	"wso2agent/internal/actual"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/keysfile"
	"wso2agent/internal/owned"
	"wso2agent/internal/plan"
	"wso2agent/internal/sorting"
)

// memory is what runs with the same keys file leave for the next one: the keys, and next to them the record of what they have made. [Keep]
// also leaves which APIs have what the file says.
type memory struct {
	files bootstrap.Files
	known []keysfile.Key // of an earlier run
	told  []string       // the consumer keys of this run that the log has as new ones
}

// remember adds to want and o what earlier runs have left: the keys, the record, and the name of this installation. unkept is why nothing
// can be kept there; nil if it can. Without a record nothing is removed. The error wraps [bootstrap.ErrPermanent] if the keys of an
// earlier run cannot be read.
func remember(log *slog.Logger, files bootstrap.Files, unkept error, want *plan.Wanted, o *Options) (memory, error) {
	m := memory{files: files}
	if unkept != nil {
		log.Warn("cannot keep a record, so later runs remove nothing that this run makes", "error", unkept)
		return m, nil
	}
	var err error
	if m.known, err = files.Keys.Read(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("%w: read the keys of an earlier run: %w", bootstrap.ErrPermanent, err)
	}
	o.Known = m.credentials()
	record, _, err := owned.Load(owned.Path(files.Keys.JSON))
	if err != nil {
		log.Warn("the agent cannot read the record of earlier runs, so it removes nothing that they made, and records nothing", "error", err)
	} else {
		o.Save = func() error { return record.Save(owned.Path(files.Keys.JSON)) }
	}
	o.Record = record
	want.Owner, err = files.Owner()
	return m, err
}

// credentials are the known keys, for a run.
func (m *memory) credentials() (all []Credentials) {
	for _, k := range m.known {
		all = append(all, Credentials{Application: k.Application, ApplicationID: k.ApplicationID, Type: k.Type, KeyManager: k.KeyManager,
			ConsumerKey: k.ConsumerKey, ConsumerSecret: k.ConsumerSecret, MappingID: k.MappingID, TokenEndpoint: k.TokenEndpoint})
	}
	return all
}

// reread reads the keys again, which another run may have written. Keys that it cannot read are as before.
func (m *memory) reread() []Credentials {
	if keys, err := m.files.Keys.Read(); err == nil {
		m.known = keys
	}
	return m.credentials()
}

// Keep is [Run] for an installation: it takes turns with other runs, and keeps the keys and the record for the next run. command names
// this run for others that wait for it. unkept is why nothing can be kept; nil if it can. The file of keys shows the application own as
// its own one; "" keeps the order of earlier runs. err is that of Run, and unwritten says that the keys are not in their files.
func Keep(ctx context.Context, log *slog.Logger, hc *http.Client, s bootstrap.Settings, files bootstrap.Files, unkept error, command, own string, want plan.Wanted, o Options) (report Report, err, unwritten error) {
	if s, err = s.Normalised(); err != nil {
		return report, err, nil
	}
	memory, err := remember(log, files, unkept, &want, &o)
	if err != nil {
		return report, err, nil
	}
	clients := actual.Connect(hc, s)
	if unkept == nil {
		if o.Unchanged = actual.LoadKnown(files.UnchangedPath(), s.AMURL); o.Full {
			o.Unchanged = nil
		}
		o.SaveUnchanged = func(k *actual.Known) error { return k.Save(files.UnchangedPath(), s.AMURL) }
	}
	if o.KeepsKeys = unkept == nil; o.KeepsKeys {
		o.Reread = memory.reread
	}
	o.Lease, o.TokenEndpoint = Turns(clients, log, command), s.TokenEndpointOf
	o.Keys = func(report Report) error {
		memory.tellOtherKeys(log, report)
		if err := dropRenewals(files, report); err != nil {
			log.Warn("the agent cannot forget the renewals of keys that it has made", "error", err)
		}
		if o.KeepsKeys {
			memory.reread()
		}
		return memory.writeKeys(report, own)
	}
	for _, km := range want.File.KeyManagers.Value {
		if risk, remedy := s.CertificateRisk(ctx); km.Value.MutualTLS() && risk != "" {
			log.Warn(risk, "key manager", km.Value.Name.Shown(), "remedy", remedy)
		}
	}
	report, err = Run(ctx, log, clients, want, o)
	if len(report.Outcomes) == 0 && err != nil {
		return report, err, nil
	}
	return report, err, o.Keys(report)
}

// tellOtherKeys logs once which keys of an earlier run this run has made again: their clients need the new ones.
func (m *memory) tellOtherKeys(log *slog.Logger, report Report) {
	for _, now := range keysIn(report) {
		i := slices.IndexFunc(m.known, func(k keysfile.Key) bool {
			return k.Application == now.Application && k.Type == now.Type && k.KeyManager == now.KeyManager
		})
		if i < 0 || m.known[i].ConsumerKey == now.ConsumerKey || slices.Contains(m.told, now.ConsumerKey) {
			continue
		}
		m.told = append(m.told, now.ConsumerKey)
		log.Warn("the application has another consumer key than before", "application", now.Application, "type", now.Type, "key manager", now.KeyManager,
			"was", m.known[i].ConsumerKey, "now", now.ConsumerKey, "keys", m.files.Keys.JSON, "remedy", "give its clients the keys in the keys file")
	}
}

// writeKeys writes the keys of applications: those of this run, and those of other applications from earlier runs. The file shows the
// application own as its own one; without a name the order of earlier runs stays. writeKeys writes nothing if there are no keys.
func (m memory) writeKeys(report Report, own string) error {
	keys := keysfile.Merge(slices.DeleteFunc(slices.Clone(m.known), func(k keysfile.Key) bool { return removed(report, k) }), keysIn(report))
	if len(keys) == 0 && len(m.known) == 0 {
		return nil
	}
	if own != "" {
		sorting.By(keys, func(a, b keysfile.Key) int { return order(a.Application != own, b.Application != own) })
	}
	if err := m.files.Keys.Write(keys); err != nil {
		return fmt.Errorf("write the applications' keys: %w", err)
	}
	return nil
}

// order compares two answers: false comes first.
func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// keysIn returns the keys of a run for the files.
func keysIn(report Report) (keys []keysfile.Key) {
	for _, k := range report.Keys {
		keys = append(keys, keysfile.Key{Application: k.Application, ApplicationID: k.ApplicationID, Type: k.Type,
			KeyManager: k.KeyManager, ConsumerKey: k.ConsumerKey, ConsumerSecret: k.ConsumerSecret, TokenEndpoint: k.TokenEndpoint, MappingID: k.MappingID})
	}
	return keys
}

// removed reports whether a run has removed a key, or its application.
func removed(report Report, k keysfile.Key) bool {
	return slices.ContainsFunc(report.Outcomes, func(o Outcome) bool {
		if o.Change.Action != plan.Delete || o.Err != nil {
			return false
		}
		left, _ := o.Change.Have.(plan.Left)
		return o.Change.Kind == plan.KindApplication && o.Change.Name == k.Application || o.Change.Kind == plan.KindKey && left.ID == k.MappingID
	})
}

// Forget takes an object that somebody has deleted out of the record next to the keys file, and a key, or the keys of an application, out of
// the files of keys. known reports whether the record had the object, under the same id. The files do not need a record that can be read.
func Forget(files bootstrap.Files, o plan.OwnedObject) (known bool, err error) {
	path := owned.Path(files.Keys.JSON)
	record, found, err := owned.Load(path)
	if err != nil {
		err = fmt.Errorf("take %s %s out of the agent's record: %w", o.Kind, o.Name, err)
		return false, errors.Join(forgetKeys(files.Keys, o), err)
	}
	if !found || !slices.ContainsFunc(record.Owned(), func(has plan.OwnedObject) bool {
		return has.Kind == o.Kind && has.Name == o.Name && has.Of == o.Of && (has.ID == o.ID || has.ID == "")
	}) {
		return false, nil
	}
	record.Gone(o.Kind, o.Name, o.Of)
	return true, errors.Join(forgetKeys(files.Keys, o), record.Save(path))
}

// forgetKeys takes a key, or the keys of an application, out of the files of keys. Without a file there are none.
func forgetKeys(files keysfile.Files, o plan.OwnedObject) error {
	if o.Kind != plan.KindApplication && o.Kind != plan.KindKey {
		return nil
	}
	keys, err := files.Read()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("take what is deleted out of the file of keys: %w", err)
	}
	left := slices.DeleteFunc(slices.Clone(keys), func(k keysfile.Key) bool {
		return o.Kind == plan.KindApplication && k.ApplicationID == o.ID || o.Kind == plan.KindKey && k.MappingID == o.ID
	})
	if len(left) == len(keys) {
		return nil
	}
	return files.Write(left)
}
