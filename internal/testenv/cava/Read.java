import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Base64;
import java.util.TreeSet;
import net.consensys.cava.toml.Toml;
import net.consensys.cava.toml.TomlArray;
import net.consensys.cava.toml.TomlParseResult;
import net.consensys.cava.toml.TomlTable;

/**
 * Reads files as WSO2's configuration mapper does, and prints for each a line "file NAME", then "refused WHY", or a line
 * per value: its path, a tab, and the value in a form of its own.
 */
public class Read {
    public static void main(String[] args) {
        for (String arg : args) {
            System.out.println("file " + arg);
            try {
                read(Paths.get(arg));
            } catch (StackOverflowError e) {
                System.out.println("refused StackOverflowError");
            } catch (Exception e) {
                System.out.println("refused " + String.valueOf(e).replace('\n', ' '));
            }
        }
    }

    private static void read(Path path) throws Exception {
        TomlParseResult result = Toml.parse(path);
        if (result.hasErrors()) {
            throw new Exception(result.errors().get(0).toString());
        }
        StringBuilder out = new StringBuilder();
        // The mapper asks for every path with its double quotes made single ones.
        for (String key : new TreeSet<>(result.dottedKeySet())) {
            String asked = key.replaceAll("\"", "'");
            out.append(asked).append('\t').append(form(result.get(asked))).append('\n');
        }
        System.out.print(out);
    }

    private static String form(Object value) {
        if (value instanceof TomlArray) {
            StringBuilder out = new StringBuilder("[");
            for (Object item : ((TomlArray) value).toList()) {
                out.append(form(item)).append(' ');
            }
            return out.append(']').toString();
        }
        if (value instanceof TomlTable) {
            TomlTable table = (TomlTable) value;
            StringBuilder out = new StringBuilder("{");
            for (String key : new TreeSet<>(table.dottedKeySet())) {
                String asked = key.replaceAll("\"", "'");
                out.append(asked).append('=').append(form(table.get(asked))).append(' ');
            }
            return out.append('}').toString();
        }
        if (value instanceof String) {
            return "s:" + Base64.getEncoder().encodeToString(((String) value).getBytes(StandardCharsets.UTF_8));
        }
        if (value instanceof Long) {
            return "i:" + value;
        }
        if (value instanceof Double) {
            return "f:" + Long.toHexString(Double.doubleToLongBits((Double) value));
        }
        if (value instanceof Boolean) {
            return "b:" + value;
        }
        return "d";
    }
}
