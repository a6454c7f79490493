package sparkkit.delta;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.util.Arrays;
import java.util.Iterator;

import io.delta.storage.HadoopFileSystemLogStore;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FSDataOutputStreamBuilder;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * Delta's log on S3, safe for any number of writers on any machines: a version is put on condition that there is none.
 *
 * <p>Delta's own store for S3 looks first and puts then, which holds for the writers of one JVM only.
 */
public class ConditionalLogStore extends HadoopFileSystemLogStore {
    private static final String ABSENT = "fs.option.create.conditional.overwrite";
    private static final int TRIES = 6;

    public ConditionalLogStore(Configuration conf) {
        super(conf);
    }

    @Override
    public void write(Path path, Iterator<String> actions, Boolean overwrite, Configuration conf) throws IOException {
        // all of it first: a stream that is closed on the way out of an error would put what it has
        ByteArrayOutputStream lines = new ByteArrayOutputStream();
        while (actions.hasNext()) {
            lines.write((actions.next() + "\n").getBytes(StandardCharsets.UTF_8));
        }
        byte[] data = lines.toByteArray();
        FileSystem fs = path.getFileSystem(conf);
        for (int again = 1; ; again++) {
            try {
                put(fs, path, data, overwrite);
                return;
            } catch (IOException error) {
                if (!overwrite && says(error, 412)) {
                    // an answer may have been lost on its way, and S3A has asked again: each version holds its writer's own words
                    if (Arrays.equals(data, bytes(fs, path))) {
                        return;
                    }
                    throw new FileAlreadyExistsException(path.toString());
                }
                if (!says(error, 409) || again == TRIES) {
                    throw error;
                }
                pause(100L << again); // another put of this name is under way, and may yet fail
            }
        }
    }

    private static void put(FileSystem fs, Path path, byte[] data, boolean overwrite) throws IOException {
        FSDataOutputStreamBuilder<?, ?> builder = fs.createFile(path).overwrite(true).recursive();
        if (!overwrite) {
            builder = builder.must(ABSENT, true);
        }
        FSDataOutputStream stream = builder.build();
        stream.write(data);
        stream.close();
    }

    @Override
    public Boolean isPartialWriteVisible(Path path, Configuration conf) {
        return false;
    }

    private static boolean says(Throwable error, int code) {
        for (Throwable at = error; at != null; at = at.getCause()) {
            if (String.valueOf(at.getMessage()).contains("Status Code: " + code)) {
                return true;
            }
        }
        return false;
    }

    private static void pause(long millis) throws InterruptedIOException {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException();
        }
    }

    private static byte[] bytes(FileSystem fs, Path path) throws IOException {
        try (InputStream stream = fs.open(path)) {
            return stream.readAllBytes();
        }
    }
}
