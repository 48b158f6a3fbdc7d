import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** A file to which lines are added, each in one write, so that a killed process leaves none cut off. */
final class Journal {
    private final Path path;

    Journal(Path path) {
        this.path = path;
    }

    synchronized void add(Object... words) throws IOException {
        StringBuilder line = new StringBuilder();
        for (Object word : words) {
            line.append(line.length() > 0 ? " " : "").append(String.valueOf(word).replaceAll("\\s+", " "));
        }
        Files.write(path, line.append('\n').toString().getBytes(StandardCharsets.UTF_8),
                StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }
}
