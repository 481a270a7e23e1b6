/** What the driver's tests run; compiled by them. */
public class Program {
  public static void main(String[] args) throws Exception {
    switch (args[0]) {
      case "say" -> System.out.println(args[1]);
      case "exit" -> System.exit(Integer.parseInt(args[1]));
      case "sleep" -> Thread.sleep(Long.parseLong(args[1]));
      case "property" -> System.out.println(System.getProperty(args[1]));
      case "memory" -> {
        byte[][] held = new byte[1024][];
        for (int i = 0; i < held.length; i++) {
          held[i] = new byte[1024 * 1024];
          java.util.Arrays.fill(held[i], (byte) 1);
        }
      }
      case "stubborn" -> {
        sun.misc.Signal.handle(new sun.misc.Signal("INT"), signal -> {});
        Thread.sleep(600_000);
      }
      default -> throw new IllegalArgumentException(args[0]);
    }
  }
}
