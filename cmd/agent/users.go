package main

import (
	"context"
	"fmt"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/objects"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/serviceuser"
	"wso2agent/internal/wso2"
)

func usersCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "users",
		Short: "List, create or delete users of IS, or give one another password",
		Long: `users is about the users of IS, over SCIM 2. It reaches IS by IS_HOST, IS_PORT, IS_ADMIN_USER and IS_ADMIN_PASS, and runs
anywhere. To keep users in a file, see "users" in the API configuration.`,
		Example: `  agent users list
  agent users create ann --email ann@example.com`,
	})
	cmd.AddCommand(usersListCommand(), usersCreateCommand(), usersDeleteCommand(), usersPasswordCommand())
	return cmd
}

// listed lists the objects of a kind in IS by name.
func listed(ctx context.Context, r *reached, kind wso2.SCIMKind) ([]wso2.Object, error) {
	list, err := r.SCIM.List(ctx, kind)
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name }) // package slices would add 15 KB to the agent for each type
	return list, byHand(err)
}

// namesOf lists the names of the objects of a kind in IS.
func namesOf(kind wso2.SCIMKind) lister {
	return func(ctx context.Context, r *reached, _ []string) ([]string, error) {
		list, err := r.SCIM.List(ctx, kind)
		var names []string
		for _, o := range list {
			names = append(names, o.Name)
		}
		return names, err
	}
}

// find returns an object of IS by its name. The error for an unknown one names the nearest.
func find(ctx context.Context, r *reached, kind wso2.SCIMKind, word, name string) (wso2.Object, error) {
	o, ok, err := r.SCIM.Find(ctx, kind, name)
	if err != nil || ok {
		return o, byHand(err)
	}
	names, err := namesOf(kind)(ctx, r, nil)
	if err != nil {
		return o, byHand(err)
	}
	_, err = objects.Pick(word, name, names, func(n string) string { return n })
	if err == nil { // IS has made it in between
		err = fmt.Errorf("%s %q: IS finds it by a list alone", word, name)
	}
	return o, err
}

// notTheServiceUser refuses what would part the key manager from its user or its role, which has the user's name.
func notTheServiceUser(r *reached, word, name string) error {
	record, err := serviceuser.Load(r.settings.KMUser.Record)
	if err != nil {
		return err
	}
	if !serviceuser.IsMade(name) && !(record.User != "" && serviceuser.Same(record.User, name)) {
		return nil
	}
	return remedy.Add(bootstrap.Permanent(fmt.Errorf("API-M's key manager needs the %s %s to call IS", word, name)),
		"agent km rotate-password changes its password; choose another user with KM_SERVICE_USER, or delete the key manager, before you delete this one")
}

// notInUse refuses the deletion of the user or the role of a key manager that API-M has. Without such a key manager nothing needs them.
func notInUse(ctx context.Context, r *reached, word, name string) error {
	refused := notTheServiceUser(r, word, name)
	if refused == nil {
		return nil
	}
	list, err := r.Admin.KeyManagers(ctx)
	for _, listed := range list {
		km, readErr := r.Admin.KeyManager(ctx, listed.ID)
		if readErr == nil && serviceuser.Same(km.User, name) {
			return refused
		}
		if err == nil {
			err = readErr
		}
	}
	if err != nil {
		return byHand(fmt.Errorf("find out whether a key manager of API-M needs the %s %s: %w", word, name, err))
	}
	return nil
}

// refs returns the display names of a list of SCIM references that keep passes; all without keep.
func refs(list any, keep func(ref map[string]any) bool) (names []string) {
	all, _ := list.([]any)
	for _, one := range all {
		ref, _ := one.(map[string]any)
		if name, ok := ref["display"].(string); ok && (keep == nil || keep(ref)) {
			names = append(names, name)
		}
	}
	return names
}

// removalOf describes the deletion of an object of IS.
func removalOf(kind string, o wso2.Object, with ...string) objects.Removal {
	return objects.Removal{OwnedObject: plan.OwnedObject{Kind: kind, Name: o.Name, ID: o.ID}, Title: kind + " " + o.Name, With: with}
}

// userLine is a user as list prints it.
type userLine struct {
	ID       string   `json:"id"`
	UserName string   `json:"userName"`
	Emails   []string `json:"emails"`
	Roles    []string `json:"roles"` // of the organization, without everyone
	Locked   bool     `json:"locked"`
	Disabled bool     `json:"disabled"`
}

func userLineOf(o wso2.Object) userLine {
	l := userLine{ID: o.ID, UserName: o.Name, Emails: orEmpty(emails(o.Fields["emails"]))}
	l.Roles = orEmpty(refs(o.Fields["roles"], func(ref map[string]any) bool {
		return ref["display"] != "everyone" && (ref["audienceType"] == nil || ref["audienceType"] == "organization")
	}))
	state, _ := o.Fields["urn:scim:wso2:schema"].(map[string]any)
	is := func(name string) bool { return fmt.Sprint(state[name]) == "true" } // a text or a boolean
	l.Locked, l.Disabled = is("accountLocked"), is("accountDisabled")
	return l
}

// emails are addresses: texts, or objects with a value if they have a type.
func emails(list any) (addresses []string) {
	all, _ := list.([]any)
	for _, one := range all {
		if typed, ok := one.(map[string]any); ok {
			one = typed["value"]
		}
		if text, ok := one.(string); ok {
			addresses = append(addresses, text)
		}
	}
	return addresses
}

// state says in a word whether a user can log in.
func (l userLine) state() string {
	var words []string
	if l.Locked {
		words = append(words, "locked")
	}
	if l.Disabled {
		words = append(words, "disabled")
	}
	if len(words) == 0 {
		return "active"
	}
	return strings.Join(words, ", ")
}
