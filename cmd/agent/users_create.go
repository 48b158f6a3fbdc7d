package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"wso2agent/internal/serviceuser"
	"wso2agent/internal/wso2"
)

// newUser is what the flags of create say of a user.
type newUser struct {
	email, given, family  string
	passwordStdin, asJSON bool
}

func usersCreateCommand() *cobra.Command {
	var u newUser
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a user of IS",
		Long: `create makes a user of IS. Without --password-stdin it generates the password, and shows it once: nobody can read it
afterwards. The stock rules of IS want 8 to 64 characters with a digit, an upper-case and a lower-case letter. The user
has only the role everyone; agent roles assign gives others.`,
		Example: `  agent users create ann --email ann@example.com
  agent users create bob --password-stdin < password`,
		Args: arguments("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error { return u.create(cmd, args[0]) },
	}
	cmd.Flags().StringVar(&u.email, "email", "", "the `ADDRESS` of the user")
	cmd.Flags().StringVar(&u.given, "given-name", "", "the given `NAME`")
	cmd.Flags().StringVar(&u.family, "family-name", "", "the family `NAME`")
	passwordFlag(cmd, &u.passwordStdin)
	cmd.Flags().BoolVar(&u.asJSON, "json", false, "print JSON")
	return cmd
}

// passwordFlag adds the flag that takes a password from the standard input. There is none that has the password as its value, because other
// users of the machine could see it.
func passwordFlag(cmd *cobra.Command, stdin *bool) {
	cmd.Flags().BoolVar(stdin, "password-stdin", false, "read the password from the standard input, and do not generate it; a terminal asks for it")
}

// choosePassword returns a password from the standard input, or a new one, which must be shown.
func choosePassword(cmd *cobra.Command, user string, stdin bool) (password wso2.Secret, generated bool, err error) {
	if !stdin {
		return wso2.Secret(serviceuser.NewPassword()), true, nil
	}
	password, err = readSecret(cmd, "new password of "+user)
	return password, false, err
}

func (u newUser) create(cmd *cobra.Command, name string) error {
	password, generated, err := choosePassword(cmd, name, u.passwordStdin)
	if err != nil {
		return err
	}
	r, err := reach(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer r.connection.Close()
	fields := map[string]any{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": name, "password": string(password)}
	if u.email != "" {
		fields["emails"] = []any{map[string]any{"value": u.email, "primary": true}}
	}
	full := map[string]any{}
	for attribute, value := range map[string]string{"givenName": u.given, "familyName": u.family} {
		if value != "" {
			full[attribute] = value
		}
	}
	if len(full) > 0 {
		fields["name"] = full
	}
	id, err := r.SCIM.Create(cmd.Context(), wso2.SCIMUsers, fields, password)
	if err != nil {
		return existing(byHand(err), "choose another name; agent users password '%s' gives the user another password", name)
	}
	return printUser(cmd.OutOrStdout(), "created", name, id, password, generated, u.asJSON)
}

// printUser says what happened to a user. It shows a generated password, also without --show-secrets: it is shown once and never again.
func printUser(w io.Writer, what, name, id string, password wso2.Secret, generated, asJSON bool) error {
	if asJSON {
		out := map[string]any{"id": id, "userName": name}
		if generated {
			out["password"] = string(password)
		}
		return writeJSON(w, out)
	}
	_, err := fmt.Fprintf(w, "user %s: %s\n", printable(name), what)
	if err == nil && generated {
		_, err = fmt.Fprintf(w, "password, shown only now: %s\n", string(password))
	}
	return err
}
