package up

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/docker"
	"wso2agent/internal/file"
	"wso2agent/internal/keysfile"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/seed"
	"wso2agent/internal/server"
	"wso2agent/internal/trust"
)

// Removal is what is taken back at one place.
type Removal struct {
	Place    string          `json:"place"`
	Is       string          `json:"is,omitempty"`       // what a container is, so that a person sees a mistaken name
	Aliases  []string        `json:"aliases,omitempty"`  // that leave the truststore
	Restored []string        `json:"restored,omitempty"` // aliases of the truststore that get their former certificates
	Settings []server.Change `json:"-"`                  // of deployment.toml; those that stay too
	Lines    []string        `json:"lines,omitempty"`    // files that have lines of the agent
	Files    []string        `json:"files,omitempty"`    // files and folders of the agent
	Stays    []string        `json:"stays,omitempty"`    // what stays at this place, and why
	Given    []string        `json:"settings,omitempty"` // names of the settings that get their former values
	Unread   bool            `json:"unread,omitempty"`   // an earlier run has changed the truststore, and the running server has not read it
}

// Empty reports whether nothing is to be taken back.
func (r Removal) Empty() bool {
	return len(r.Aliases)+len(r.Restored)+len(r.Given)+len(r.Lines)+len(r.Files) == 0
}

// RestartDue reports whether the running server has read something that is taken back now, or was by an earlier run.
func (r Removal) RestartDue() bool {
	return r.Unread || len(r.Aliases)+len(r.Restored)+len(r.Given)+len(r.Lines) > 0
}

// Print says what the removal does, a line for each thing. Secrets are masked.
func (r Removal) Print(say func(format string, args ...any)) {
	if r.Is != "" && (!r.Empty() || r.Unread) {
		say("%s: %s", r.Place, r.Is)
	}
	for _, alias := range r.Aliases {
		say("%s: no longer trust %s", r.Place, alias)
	}
	for _, alias := range r.Restored {
		say("%s: trust %s again: it was there before the agent", r.Place, alias)
	}
	for _, c := range r.Settings {
		was, now := c.Was, c.Now
		if c.Secret {
			was, now = "*****", "*****"
		}
		switch {
		case c.Action == server.Kept:
			say("%s: stays: %s = %s of line %d: somebody has changed it, or the server's data goes with it", r.Place, c.Setting, was, c.Line)
		case c.Action == server.Replaced:
			say("%s: write %s itself into deployment.toml, which has %s: only the agent has the key", r.Place, c.Setting, c.Was)
		case c.Now == "":
			say("%s: without %s again", r.Place, c.Setting)
		default:
			say("%s: %s = %s again, is %s", r.Place, c.Setting, now, was)
		}
	}
	for _, f := range r.Lines {
		say("%s: %s without the agent's lines again", r.Place, f)
	}
	for _, f := range r.Files {
		say("%s: remove %s", r.Place, f)
	}
	if r.Unread {
		say("%s: the running server has not read its truststore: --restart restarts it", r.Place)
	}
	for _, s := range r.Stays {
		say("%s: stays: %s", r.Place, s)
	}
}

// settingsOf adds the changes of a deployment.toml.
func (r *Removal) settingsOf(changes []server.Change) {
	r.Settings = changes
	for _, c := range changes {
		if c.Action != server.Kept {
			r.Given = append(r.Given, c.Setting)
		}
	}
}

// Undo takes back what an agent has made in the files of one server. Plan comes first.
type Undo struct {
	Removal
	files fileOwner
}

// fileOwner has files of a server in which an agent has made something.
type fileOwner interface {
	String() string
	planBack(ctx context.Context) (Removal, error)
	takeBack(ctx context.Context, r Removal) error
	restartAfter(ctx context.Context) error
}

// PlanUninstall reads the places of both servers that o names, and returns what is to be taken back there. A target without a place is
// left out. own is the server next to this agent, by PRODUCT; empty for none.
func PlanUninstall(ctx context.Context, o Options, own string) (all []Undo, err error) {
	var owners []fileOwner
	var facts []docker.Container
	if own != "" {
		owners = append(owners, &folder{cfg: o.Config, configured: append([]string{o.Config.Server.Name}, o.Config.Trust.Peers...), say: o.say, exchange: true})
	}
	for _, t := range []Target{o.IS, o.AM} {
		switch {
		case t.Home != "":
			cfg := o.Config.For(t.Product)
			cfg.Server.ConfigDir, cfg.Server.Home = t.Home, t.Home
			owners = append(owners, &folder{cfg: cfg, configured: names(), say: o.say, home: &home{target: t, dir: t.Home, cfg: cfg, restarts: true, say: o.say}})
		case t.Container != "":
			c, err := o.findContainer(ctx, t)
			if err != nil {
				return nil, err
			}
			owners, facts = append(owners, &undoContainer{container: c}), append(facts, c.facts)
		}
	}
	if len(facts) == 2 {
		if err := together(facts[0], facts[1]); err != nil {
			return nil, err
		}
	}
	for _, f := range owners {
		r, err := f.planBack(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		r.Place = f.String()
		all = append(all, Undo{r, f})
	}
	return all, nil
}

// Do takes back what the plan says. If it is stopped, another plan has the rest.
func (u Undo) Do(ctx context.Context) error {
	if u.Empty() {
		return nil
	}
	if err := u.files.takeBack(ctx, u.Removal); err != nil {
		return fmt.Errorf("%s: %w", u.files, err)
	}
	return nil
}

// Restart restarts the server if it has read something that is taken back.
func (u Undo) Restart(ctx context.Context) (restarted bool, err error) {
	if !u.RestartDue() {
		return false, nil
	}
	if err := u.files.restartAfter(ctx); err != nil {
		return false, fmt.Errorf("%s: %w", u.files, err)
	}
	return true, nil
}

// folder is a home or a config volume on this machine.
type folder struct {
	cfg        config.Config // with the folder as its config volume
	configured []string      // names of servers whose entries are the agent's
	say        func(format string, args ...any)
	exchange   bool  // the server's own folder on the exchange volume is the agent's too
	home       *home // nil for a config volume
}

func (f *folder) dir() string { return f.cfg.Server.ConfigDir }

func (f *folder) String() string {
	title := Target{Product: f.cfg.Server.Product}.title()
	return fmt.Sprintf("%s in %s", title, f.dir())
}

// silent is how long an agent must have said nothing on the exchange volume to count as stopped. It repeats its word every minute.
const silent = 2 * time.Minute

// stopped returns an error if an agent still works on the files: it would make everything again.
func (f *folder) stopped(ctx context.Context) error {
	own := filepath.Join(f.cfg.Trust.ExchangeDir, f.cfg.Server.Name)
	if _, err := os.Stat(own); err != nil || !f.exchange {
		return nil
	}
	holder, said, ok, err := trust.ExchangeOf(f.cfg).Holder(ctx)
	if err != nil {
		return err
	}
	if age := time.Since(said); ok && age < silent {
		return remedy.Add(fmt.Errorf("%w: an agent on host %s worked on it %s ago", ErrPermanent, holder.Host, age.Round(time.Second)),
			"stop agent run next to this server, and run the command again after %s", silent)
	}
	return nil
}

func (f *folder) planBack(ctx context.Context) (r Removal, err error) {
	if _, err := os.Stat(f.dir()); err != nil {
		return r, fmt.Errorf("%w: %w", ErrPermanent, remedy.Add(err, "correct the folder"))
	}
	if err := f.stopped(ctx); err != nil {
		return r, err
	}
	back, _, err := f.entries(ctx)
	if err != nil {
		return r, err
	}
	back.add(&r)
	text, settings, err := server.SettingsFileOf(f.cfg).PlanBack(ctx)
	if err != nil {
		return r, err
	}
	r.settingsOf(settings)
	for _, name := range seed.ReloadFiles() {
		if text, err := file.Read(filepath.Join(f.dir(), name), storeLimit); err == nil {
			if _, has := seed.WithoutReload(name, text); has {
				r.Lines = append(r.Lines, name)
			}
		}
	}
	key, err := server.SettingsFileOf(f.cfg).OnlyRecord(text)
	if err != nil {
		return r, err
	}
	if key != "" {
		r.Stays = append(r.Stays, key+": deployment.toml lacks this key, with which the server has encrypted secrets in its database")
	}
	for _, one := range append(f.own(), f.records(key)...) {
		if _, err := os.Lstat(one); err != nil {
			continue
		}
		if one == f.cfg.TLSStorePath() && bytes.Contains(text, []byte(config.TLSStoreFile)) {
			r.Stays = append(r.Stays, one+": the server's settings still name it")
			continue
		}
		r.Files = append(r.Files, one)
	}
	if _, err := os.Stat(filepath.Join(f.cfg.Artifacts.Dir, file.WorkDir)); err == nil && f.exchange {
		r.Stays = append(r.Stays, f.cfg.Artifacts.Dir+": files that the image of the server lacks, and the agent's record of them")
	}
	return r, nil
}

// own are the files and folders that are the agent's alone, next to its records.
func (f *folder) own() (all []string) {
	all = append(all, f.cfg.TLSStorePath())
	if f.exchange {
		all = append(all, filepath.Join(f.cfg.Trust.ExchangeDir, f.cfg.Server.Name))
	}
	return all
}

// work is the folder with the agent's records.
func (f *folder) work() string { return filepath.Join(f.dir(), file.WorkDir) }

// records are the agent's records: their folder, or what is in it apart from key, a record that stays.
func (f *folder) records(key string) []string {
	if key == "" {
		return []string{f.work()}
	}
	all, _ := filepath.Glob(filepath.Join(f.work(), "*")) // only a bad pattern is an error
	return slices.DeleteFunc(all, func(path string) bool { return path == key })
}

// entries returns what is done with the truststore, and the truststore; nothing without a truststore.
func (f *folder) entries(ctx context.Context) (g giveBack, store trust.Store, err error) {
	cfg, err := server.AtStores(ctx, f.cfg)
	if err != nil {
		return g, store, err
	}
	store = trust.Store{Path: cfg.TruststorePath(), Password: cfg.Truststore.Pass, Setting: "TRUSTSTORE_PASS"}
	entries, err := store.Entries(ctx, f.configured)
	if errors.Is(err, fs.ErrNotExist) {
		return g, store, nil
	}
	if err != nil {
		return g, store, err
	}
	path := filepath.Join(f.work(), filepath.Base(store.Path)+".original")
	data, err := file.Read(path, storeLimit)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return g, store, err
	}
	original, reason := openOriginal(data, missing, path, store.Password)
	return giveBackOf(entries, f.configured, original, reason), store, nil
}

// takeBack removes the records last, so that a run that is stopped can go on.
func (f *folder) takeBack(ctx context.Context, r Removal) error {
	unlock, err := file.Lock(ctx, file.LockPath(f.work()), func() { f.say("%s: waiting for another agent that is working on its files", f) })
	if err != nil {
		return err
	}
	defer unlock()
	back, store, err := f.entries(ctx)
	if err == nil && len(back.changes) > 0 {
		err = trust.Import(ctx, store, back.changes, back.certificates, f.work())
	}
	if err != nil {
		return err
	}
	if _, err := server.SettingsFileOf(f.cfg).GiveBack(ctx); err != nil {
		return err
	}
	var report seed.Report
	if err := (seed.Seed{Volume: f.dir(), Product: f.cfg.Server.Product}).Overlay(ctx, &report); err != nil {
		return err
	}
	for _, o := range report.Files {
		if o.Err != nil {
			return fmt.Errorf("take the agent's lines out of %s: %w", o.Path, o.Err)
		}
	}
	text, _, err := server.SettingsFileOf(f.cfg).PlanBack(ctx)
	if err != nil {
		return err
	}
	key, err := server.SettingsFileOf(f.cfg).OnlyRecord(text)
	if err != nil {
		return err
	}
	others := slices.DeleteFunc(slices.Clone(r.Files), func(path string) bool { return filepath.Dir(path) == f.work() || path == f.work() })
	for _, one := range append(others, f.records(key)...) { // the lock may have made the folder of the records
		if err := os.RemoveAll(one); err != nil {
			return err
		}
	}
	return nil
}

func (f *folder) restartAfter(ctx context.Context) error {
	if f.home == nil {
		return remedy.Add(errors.New("nothing here can restart the server"), "restart its container")
	}
	start, err := f.home.start()
	if err != nil {
		return err
	}
	return f.home.restart(ctx, Files{Start: start})
}

// undoContainer is a server in a container, of whose files an agent has edited the truststore.
type undoContainer struct {
	*container
	files Files
	back  giveBack
}

func (b *undoContainer) planBack(ctx context.Context) (r Removal, err error) {
	if b.files, err = b.read(ctx); err != nil {
		return r, err
	}
	r.Is, r.Unread = b.is(), b.files.Record.Unread != "" && b.files.Record.Unread == b.files.Start
	at := b.work(b.files, ".original")
	kept, err := b.engine.Read(ctx, b.facts.ID, at)
	missing := errors.Is(err, docker.ErrNotFound)
	if err != nil && !missing {
		return r, err
	}
	original, reason := openOriginal(kept.Data, missing, at, b.files.password)
	b.back = giveBackOf(b.files.Entries, names(), original, reason)
	b.back.add(&r)
	for _, root := range b.roots() {
		work := path.Join(root, file.WorkDir)
		stays, err := b.leftIn(ctx, work)
		if err != nil {
			return r, err
		}
		if stays != "" {
			r.Stays = append(r.Stays, work+": "+stays)
		}
	}
	return r, nil
}

// leftIn says what stays in a folder of the agent in the container, and how to remove it; empty for nothing. What an agent next to the server
// has there goes with that agent: its settings get their former values by it.
func (b *undoContainer) leftIn(ctx context.Context, work string) (string, error) {
	there, err := b.engine.Exists(ctx, b.facts.ID, path.Join(work, "settings.json"))
	if err != nil || there {
		return "settings that an agent next to the server has made: run agent uninstall with PRODUCT on its config volume", err
	}
	if there, err = b.engine.Exists(ctx, b.facts.ID, path.Join(work, path.Base(recordPath))); err != nil || !there {
		return "", err
	}
	store := path.Join(work, path.Base(b.files.path))
	return fmt.Sprintf("copies and a record of agent up; remove them with: docker exec -u 0 %s rm -f %s %s.next %s.original", b.facts.Name, path.Join(work, path.Base(recordPath)), store, store), nil
}

// is says what the container is.
func (b *undoContainer) is() string {
	is := "of the image " + b.facts.Image
	if project := b.facts.Project(); project != "" {
		is += ", of the Compose project " + project
	}
	if m, mounted := b.facts.MountOf(path.Join(b.files.root, b.files.path)); mounted {
		is += ", with its truststore on " + cmp.Or(m.Name, m.Source)
	}
	return is
}

func (b *undoContainer) takeBack(ctx context.Context, _ Removal) error {
	return b.write(ctx, b.files, b.back.changes, b.back.certificates, true)
}

func (b *undoContainer) restartAfter(ctx context.Context) error { return b.restart(ctx, b.files) }

// Left is something that stays on a server, and how to remove it.
type Left struct {
	What   string `json:"what"`
	Remove string `json:"remove"`
}

// LeftOnServers returns what runs of an agent leave on both servers, in an order in which the commands can remove it. objects are those of
// the record of agents with the same keys file, and user is the key manager's user, if the agent has made one.
func LeftOnServers(cfg config.Config, objects []plan.OwnedObject, user string) (all []Left) {
	objects = slices.Clone(objects)
	manager := plan.OwnedObject{Kind: plan.KindKeyManager, Name: cfg.KeyManager.ISName}
	if !slices.ContainsFunc(objects, func(o plan.OwnedObject) bool { return o.Kind == manager.Kind && o.Name == manager.Name }) {
		objects = append(objects, manager)
	}
	for _, kind := range kindsInOrder {
		for _, o := range objects {
			if o.Kind == kind {
				all = append(all, left(o))
			}
		}
	}
	for _, o := range objects {
		if !slices.Contains(kindsInOrder, o.Kind) {
			all = append(all, left(o))
		}
	}
	if user != "" {
		all = append(all,
			Left{"user " + user + " of IS", "agent users delete " + keysfile.ShellWord(user) + " --yes"},
			Left{"role " + user + " of IS", "agent roles delete " + keysfile.ShellWord(user) + " --yes"})
	}
	return append(all, Left{"API resource User-defined-oauth2-resource of IS, with the scopes of all APIs",
		"curl -u " + cfg.IS.AdminUser + " -X DELETE https://" + cfg.ISAddress() + "/api/server/v1/api-resources/ID; GET without /ID lists the ids"})
}

// kindsInOrder are the kinds of objects that a command of the agent deletes one at a time. An application goes with its subscriptions and
// keys, so that nothing refuses the deletion of APIs and key managers after it.
var kindsInOrder = []string{plan.KindApplication, plan.KindAPI, plan.KindKeyManager, plan.KindUser, plan.KindRole}

// left says how to remove an object.
func left(o plan.OwnedObject) Left {
	l := Left{o.Kind + " " + o.Name, "agent apply --prune FILE, with a FILE that does not name it"}
	switch o.Kind {
	case plan.KindApplication:
		l.Remove = "agent apps delete " + keysfile.ShellWord(o.Name) + " --yes"
	case plan.KindAPI:
		name := o.Name
		if i := strings.LastIndexByte(name, ' '); i >= 0 { // the record has a blank before the version
			name = name[:i] + ":" + name[i+1:]
		}
		l.Remove = "agent apis delete " + keysfile.ShellWord(name) + " --with-subscriptions --yes"
	case plan.KindKeyManager:
		l.What += " of API-M"
		l.Remove = "agent km delete " + keysfile.ShellWord(o.Name) + " --yes"
	case plan.KindUser, plan.KindRole:
		l.What += " of IS"
		l.Remove = "agent " + o.Kind + "s delete " + keysfile.ShellWord(o.Name) + " --yes"
	}
	return l
}
