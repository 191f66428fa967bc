// The ring from Java, by JNA: java -cp /usr/share/java/jna.jar Vectors.java LIBRARY ring/testdata
// (size_t is given as long: 64-bit machines.)
import com.sun.jna.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;

public class Vectors {
    public interface Ring extends Library {
        int roost_ring_abi_serves(int abi);
        String roost_ring_error_text(int code);
        int roost_ring_load(byte[] bytes, long len, long[] ring, Pointer error);
        int roost_ring_free(long ring);
        long roost_ring_hash(byte[] key, long len);
        int roost_ring_lookup_n(long ring, byte[] key, long len, int[] nodes, long cap, long[] n);
        int roost_ring_node(long ring, int number, Pointer info);
    }

    static Ring lib;

    /** The name of the code, "" if all is well; the handle goes to ring[0]. */
    static String load(Path snapshot, long[] ring) throws Exception {
        byte[] bytes = Files.readAllBytes(snapshot);
        int code = lib.roost_ring_load(bytes, bytes.length, ring, null);
        return code == 0 ? "" : lib.roost_ring_error_text(code).split(":")[0];
    }

    /** roost_ring_node_info is 3 texts of {pointer, capacity, length} and 24 bytes of numbers; the id is wanted alone. */
    static String id(long ring, int number) {
        try (Memory info = new Memory(3 * 24 + 24); Memory id = new Memory(256)) {
            info.clear();
            info.setPointer(0, id);
            info.setLong(8, 256);
            check(lib.roost_ring_node(ring, number, info) == 0, "node " + number);
            return new String(id.getByteArray(0, (int) info.getLong(16)), StandardCharsets.UTF_8);
        }
    }

    static String firstFour(long ring, byte[] key) {
        int[] nodes = new int[4];
        long[] n = new long[1];
        lib.roost_ring_lookup_n(ring, key, key.length, nodes, 4, n);
        List<String> ids = new ArrayList<>();
        for (int i = 0; i < n[0]; i++) ids.add(id(ring, nodes[i]));
        return ids.isEmpty() ? "-" : String.join(",", ids);
    }

    static void check(boolean ok, String what) {
        if (!ok) throw new AssertionError(what);
    }

    public static void main(String[] args) throws Exception {
        lib = Native.load(args[0], Ring.class);
        check(lib.roost_ring_abi_serves(1) == 1, "the library is of another ABI");
        Path data = Path.of(args[1]);
        Map<String, Long> rings = new HashMap<>();
        int agree = 0;
        for (String line : Files.readAllLines(data.resolve("vectors.tsv"))) {
            String[] f = line.split("\t");
            Path snapshot = f.length > 1 ? data.resolve("snapshots").resolve(f[1]) : null;
            long[] ring = new long[1];
            if (f[0].equals("load")) {
                check(load(snapshot, ring).isEmpty(), line);
                rings.put(f[1], ring[0]);
            } else if (f[0].equals("refuse")) {
                check(load(snapshot, ring).equals(f[2]), line);
            } else if (f[0].equals("lookup")) {
                byte[] key = new byte[f[2].length() / 2];
                for (int i = 0; i < key.length; i++) key[i] = (byte) Integer.parseInt(f[2].substring(2 * i, 2 * i + 2), 16);
                check(lib.roost_ring_hash(key, key.length) == Long.parseUnsignedLong(f[3], 16), line);
                check(firstFour(rings.get(f[1]), key).equals(f[4]), line);
            } else {
                continue;
            }
            agree++;
        }
        for (long ring : rings.values()) check(lib.roost_ring_free(ring) == 0 && lib.roost_ring_free(ring) == 65, "free");
        System.out.println(agree + " vectors agree");
    }
}
