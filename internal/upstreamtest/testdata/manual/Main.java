import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Scanner;
import java.util.stream.Collectors;

class Main {
    static String show(String v) { return Base64.getEncoder().encodeToString(v.getBytes(StandardCharsets.UTF_8)); }
    public static void main(String[] args) {
        for (Scanner in = new Scanner(System.in); in.hasNextLine();) {
            String[] line = in.nextLine().split(" ");
            String header = line[1].equals("-") ? null : new String(Base64.getDecoder().decode(line[1]), StandardCharsets.ISO_8859_1);
            jakarta.servlet.http.HttpServletRequest request = name -> name.equalsIgnoreCase("X-Auth-Organization-Name") ? header : null;
            if (line[0].equals("list")) {
                System.out.println(AuthHeaders.list(request, "X-Auth-Organization-Name").stream().map(v -> "," + show(v)).collect(Collectors.joining()));
            } else {
                String value = AuthHeaders.get(request, "X-Auth-Organization-Name");
                System.out.println(value == null ? "-" : show(value));
            }
        }
    }
}
