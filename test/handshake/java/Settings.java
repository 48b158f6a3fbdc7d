import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Properties;

/** Reads a file with settings. */
final class Settings {
    private Settings() { }

    static Properties read(String path) throws IOException {
        Properties settings = new Properties();
        try (InputStream in = new FileInputStream(path)) {
            settings.load(in);
        }
        return settings;
    }
}
