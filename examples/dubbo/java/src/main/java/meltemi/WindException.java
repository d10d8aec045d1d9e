package meltemi;

/** What `declared` throws. */
public class WindException extends Exception {
    private static final long serialVersionUID = 1L;
    private int beaufort;

    public WindException() {}

    public WindException(String message, int beaufort) {
        super(message);
        this.beaufort = beaufort;
    }

    public int getBeaufort() {
        return beaufort;
    }
}
